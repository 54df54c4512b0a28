"""From Qdrant to answers: encode a query, search by one or both vectors, merge."""
