"""Trains encoders and rerankers on Rust: questions and the code that answers them, from records.

In the order in which data passes through:

kinds              where the question of a pair comes from
asking             the forms in which people ask for what documentation tells
fragments          code as people remember it, as questions
pairs              what people may ask for and the item that answers it, from a project's records
history            what functions were changed for, by git
corpus             the pairs of all projects, without repetitions and what must not be learned
settings           how to train, and what a training came to
student            the model to train: the base, or some of its layers
scores             how well a model finds the items of projects that it was not trained on
plan               what a training is, on disk, so that a later run goes on with the same one
progress           log lines, and when the state is saved
training           what all trainings have in common, around sentence-transformers' trainer
card               what a model was made of, and how good it is

An encoder learns that questions are near to their items:

batches            the pairs as rows of text, in one dataset for each project
contrast           the loss by which a question finds its item among others
distilling         a teacher's vectors, and the loss that draws the student to them
encoder_training   the training

A reranker learns to tell answers from what else a search finds:

retrieval          a project as a search sees it
mining             questions, their answers, and what else a search finds
reranker_training  the training

The trainings, `contrast` and `distilling` need the extra `tune`; `pairs`, `corpus`, `settings`,
`retrieval`, `mining` and `card` need no torch.
"""
