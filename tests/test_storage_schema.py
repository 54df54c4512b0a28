"""Payloads: what is stored of a record, byte for byte, and the record that comes back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import qdrant_edge as edge

from configs.settings import load_settings
from lsif.blocks import Block
from lsif.structure import Context, Structure
from storage.embedded.index import EmbeddedIndex
from storage.errors import IndexDamaged
from storage.index import Generation, Index, Point
from storage.metadata import Metadata
from storage.points import block_draft, structure_draft
from storage.schema import (
    block_of,
    block_payload,
    payload_bytes,
    structure_of,
    structure_payload,
    with_shadows,
)
from storage.server.connection import connect
from storage.sparse import text_vector, words

from conftest import server_index
from qdrant_double import QdrantDouble

STRUCTURE = Structure(
    name="grow",
    signature="fn grow(&mut self)",
    code_type="Function",
    docstring="Makes room — at least twice as much.",
    line=12,
    line_from=11,
    line_to=14,
    context=Context(
        module="cache",
        file_path="src/cache/mod.rs",
        file_name="mod.rs",
        struct_name="Cache",
        snippet="/// Makes room.\nfn grow(&mut self) {\n}\n\n",
    ),
    id="00000000-0000-0000-0000-000000000001",
    symbol="cache::Cache::grow",
    crate="sample",
    module_path="sample::cache",
    visibility="pub",
    is_test=True,
    references=7,
    referencing_files=2,
    digest="0" * 32,
)
PAYLOAD = (
    b'{"name":"grow","signature":"fn grow(&mut self)","code_type":"Function",'
    b'"docstring":"Makes room \xe2\x80\x94 at least twice as much.","line":12,"line_from":11,'
    b'"line_to":14,"context":{"module":"cache","file_path":"src/cache/mod.rs",'
    b'"file_name":"mod.rs","struct_name":"Cache",'
    b'"snippet":"/// Makes room.\\nfn grow(&mut self) {\\n}\\n\\n"},'
    b'"id":"00000000-0000-0000-0000-000000000001","symbol":"cache::Cache::grow",'
    b'"crate":"sample","module_path":"sample::cache","trait_name":null,"visibility":"pub",'
    b'"is_test":true,"docs_inherited":false,"generated":false,"origin":"index","references":7,"referencing_files":2,"snippet_from":0,'
    b'"refers_to":[],"uses":[],"uses_called":[],"may_refer_to":[],"implements":[],"tested_by":0,'
    b'"digest":"00000000000000000000000000000000","place":"12,11,14,False,index,7,2,0",'
    b'"paths":["src","src/cache","src/cache/mod.rs"]}'
)
BLOCK = Block(
    id="00000000-0000-0000-0000-000000000002",
    structure_id=STRUCTURE.id,
    kind="for",
    code_type="Function",
    crate="sample",
    module="cache",
    struct_name="Cache",
    trait_name=None,
    visibility="pub",
    is_test=False,
    file_path="src/cache/mod.rs",
    line_from=12,
    line_to=14,
    snippet="for x in y {\n}\n",
)
BLOCK_PAYLOAD = (
    b'{"id":"00000000-0000-0000-0000-000000000002",'
    b'"structure_id":"00000000-0000-0000-0000-000000000001","kind":"for",'
    b'"code_type":"Function","crate":"sample","module":"cache","struct_name":"Cache",'
    b'"trait_name":null,"visibility":"pub","is_test":false,"file_path":"src/cache/mod.rs",'
    b'"line_from":12,"line_to":14,"snippet":"for x in y {\\n}\\n",'
    b'"generated":false,"origin":"index","snippet_from":0,'
    b'"digest":"' + BLOCK.digest.encode() + b'","place":"12,14,False,index,0",'
    b'"paths":["src","src/cache","src/cache/mod.rs"]}'
)


def unit() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.eye(8, dtype=np.float32)[0]


def test_a_payload_is_the_record_with_its_place_and_paths() -> None:
    assert orjson.dumps(structure_payload(STRUCTURE)) == PAYLOAD
    assert orjson.dumps(block_payload(BLOCK)) == BLOCK_PAYLOAD


def test_a_record_comes_back_from_its_payload() -> None:
    assert structure_of(orjson.loads(PAYLOAD)) == STRUCTURE
    assert block_of(orjson.loads(BLOCK_PAYLOAD)) == BLOCK
    assert structure_of(with_shadows(orjson.loads(PAYLOAD))) == STRUCTURE
    assert block_of(with_shadows(orjson.loads(BLOCK_PAYLOAD))) == BLOCK


def test_an_older_payload_without_fields_that_have_a_default_is_read() -> None:
    payload = orjson.loads(PAYLOAD)
    for name in ("docs_inherited", "referencing_files", "trait_name"):
        del payload[name]
    older = structure_of(payload)
    assert (older.docs_inherited, older.referencing_files, older.trait_name) == (False, 0, None)


@pytest.mark.parametrize("payload", [{}, {"name": "f"}, {**orjson.loads(PAYLOAD), "newer": 1}])
def test_a_payload_of_another_thing_is_not_a_record(payload: dict[str, Any]) -> None:
    with pytest.raises((TypeError, KeyError)):
        structure_of(payload)


def write(index: Index, metadata: Metadata) -> Generation:
    generation = index.create("test-schema", metadata)
    vectors = {"text": unit, "code": unit}
    assert generation.structures.upsert([structure_draft(STRUCTURE, vectors).point()]) == []
    assert generation.blocks.upsert([block_draft(BLOCK, {"code": unit}).point()]) == []
    generation.finish()
    return generation


def sorted_json(payload: dict[str, Any] | None) -> bytes:
    return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)


def test_the_embedded_engine_stores_the_payload_with_shadows(
    tmp_path: Path, metadata: Metadata
) -> None:
    generation = write(EmbeddedIndex(tmp_path), metadata)
    generation.close()
    for folder, payload, is_test in (("shard", PAYLOAD, True), ("blocks", BLOCK_PAYLOAD, False)):
        shard = edge.EdgeShard.load(str(tmp_path / "test-schema" / generation.name / folder))
        (record,), _ = shard.scroll(edge.ScrollRequest(limit=9, with_payload=True))
        assert sorted_json(record.payload) == sorted_json(
            {**orjson.loads(payload), "_is_test": str(is_test), "_generated": "False"}
        )


def test_a_server_stores_the_payload(double: QdrantDouble, metadata: Metadata) -> None:
    client = connect(double.url, None, load_settings().storage)
    with closing(server_index(client, double.url)) as index:
        generation = write(index, metadata)
        for suffix, payload in (("", PAYLOAD), ("--blocks", BLOCK_PAYLOAD)):
            (record,), _ = client.scroll(generation.name + suffix, with_payload=True)
            assert sorted_json(record.payload) == sorted_json(orjson.loads(payload))


def test_a_point_that_holds_no_record_is_damage(index: Index, metadata: Metadata) -> None:
    generation = write(index, metadata)
    strange = Point("00000000-0000-0000-0000-000000000009", {"text": unit(), "code": unit()}, {})
    assert generation.structures.upsert([strange]) == []
    generation.finish()
    with pytest.raises(IndexDamaged, match="000000000009 holds no record"):
        list(generation.structures.scroll())


def test_the_size_of_a_payload_is_at_least_that_of_its_text() -> None:
    for payload in (structure_payload(STRUCTURE), block_payload(BLOCK), {"docstring": "é" * 500}):
        assert len(orjson.dumps(payload)) <= payload_bytes(payload) < 5 * len(orjson.dumps(payload))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "the of and",
        "HTTPServer::f32_vec 0x1F_ff 2abc a_b_a_b __init__ ___",
        "fn grow(&mut self) -> Vec<u8> { self.grow(); grow }",
        "don\u2019t \u2014 stop \u201cquotes\u201d",
        "na\u00efve \u65e5\u672c\u8a9e x\u00b2 \u0130stanbul",
        "x" * 5000,
        "running runner runs ran " * 50,
    ],
)
def test_weights_of_words_are_those_that_the_engine_computes(text: str) -> None:
    model = edge.Bm25(edge.Bm25Config(avg_len=100.0))
    expected = model.embed_document(" ".join(words(text)))
    found = text_vector(text)
    assert (found.indices, found.values) == (list(expected.indices), list(expected.values))


def test_the_structures_of_the_sample_weigh_what_the_engine_computes(
    structures: list[Structure],
) -> None:
    model = edge.Bm25(edge.Bm25Config(avg_len=100.0))
    for structure in structures:
        text = f"{structure.docstring} {structure.context.snippet}"
        expected = model.embed_document(" ".join(words(text)))
        assert text_vector(text) == (list(expected.indices), list(expected.values))
