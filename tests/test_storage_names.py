"""Names on a server: each index keeps to its own, whatever others published before or meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qdrant_client import QdrantClient, models
from servers import SAMPLE_METADATA, server_index

from storage.errors import IndexMismatch
from storage.metadata import Metadata
from storage.server.index import ServerIndex

OF_BLOCKS = replace(SAMPLE_METADATA, project="bar--blocks")
OF_BAR = replace(SAMPLE_METADATA, project="bar")
WHOSE = "which is not of the index 'bar' but of the index 'bar--blocks'"


@pytest.fixture
def index() -> ServerIndex:
    return server_index(QdrantClient(":memory:"), "http://memory")


def publish_as_before(index: ServerIndex, collection: str, metadata: Metadata) -> str:
    """Publish as earlier versions did, which took every name."""
    name = f"{collection}--20260101T000000000000-0123abcd"
    client = index._connection.client
    client.create_collection(name, vectors_config={}, metadata={"lsif_ingest": metadata.to_dict()})
    create = models.CreateAlias(collection_name=name, alias_name=collection)
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
    return name


def test_an_index_that_an_earlier_version_named_like_blocks_is_found_before_the_work(
    index: ServerIndex,
) -> None:
    publish_as_before(index, "bar--blocks", OF_BLOCKS)
    with pytest.raises(IndexMismatch, match=WHOSE), index.writing("bar"):
        pass


def test_an_alias_that_another_index_takes_while_a_run_builds_is_not_switched(
    index: ServerIndex,
) -> None:
    generation = index.create("bar", OF_BAR)
    theirs = publish_as_before(index, "bar--blocks", OF_BLOCKS)
    with pytest.raises(IndexMismatch, match=WHOSE):
        index.publish("bar", generation)
    aliases = index._connection.client.get_aliases().aliases
    assert {alias.alias_name: alias.collection_name for alias in aliases} == {"bar--blocks": theirs}


def test_an_alias_that_people_gave_to_the_generation_of_another_index_is_not_switched(
    index: ServerIndex,
) -> None:
    theirs = publish_as_before(index, "bar", OF_BAR)
    create = models.CreateAlias(collection_name=theirs, alias_name="production")
    index._connection.client.update_collection_aliases(
        [models.CreateAliasOperation(create_alias=create)]
    )
    with (
        pytest.raises(IndexMismatch, match="an alias 'production'.* but of the index 'bar'"),
        index.writing("production"),
    ):
        pass


def test_a_generation_that_was_restored_under_another_name_is_still_its_index(
    index: ServerIndex,
) -> None:
    client = index._connection.client
    client.create_collection(
        "restored", vectors_config={}, metadata={"lsif_ingest": OF_BAR.to_dict()}
    )
    create = models.CreateAlias(collection_name="restored", alias_name="bar")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
    with index.writing("bar"):
        pass
