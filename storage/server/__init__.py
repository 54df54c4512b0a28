"""The index on a Qdrant server or cluster.

connection    one client; requests are sent again, errors hold no secret
health        version and state of the cluster
index         collections: which generation is live, which are kept
create        new collections, as the settings [storage] say
generation    one pair of collections
points        the points of one collection
batch         points of one request, as JSON
convert       filters and queries as the client's types
"""
