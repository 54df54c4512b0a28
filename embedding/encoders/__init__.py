"""Encoders: the models that turn texts into vectors, each behind embedding.encoder.Encoder.

In reading order:

torch        any sentence-transformers model, on processors and GPUs; the usual one
kernels      faster linear layers and attention for torch on processors
openvino     the same models by OpenVINO, on processors; an extra
int8         quantises what OpenVINO runs, and names the result in fingerprints
parallel     several encoders of one model, one for each GPU
numpy_bert   one short query without torch, so that a search starts at once

embedding.models chooses among them. Nothing here is loaded before a model is needed.
"""
