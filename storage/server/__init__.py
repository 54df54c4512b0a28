"""The index on a Qdrant server or cluster.

connection    one client; requests are sent again, errors hold no secret
health        version and state of the cluster
index         collections: which generation is live, which are kept
aliases       what names the live generation, and whose a name is
described     what a collection says of itself
create        new collections, as the settings [storage] say
life          signs of life of a generation that is being built
inventory     the generations that there are, complete and unfinished
generation    one pair of collections
points        the points of one collection
limits        what strict mode allows in one request
sender        sends points, and finds those that the server rejects
batch         points of one request, as JSON
convert       filters and queries as the client's types
"""
