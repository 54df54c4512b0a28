"""From records and vectors to Qdrant: an index that is built aside, verified, and published.

In the order in which they are worth reading:

errors, index         what can fail; the one interface to both kinds of Qdrant
query                 what an index is asked for, and what it answers
schema, sparse        how a record becomes a payload and a sparse vector, and back
words                 how many structures hold each word, to weigh a query's words by
metadata              what a generation says of itself, and its name
generations           a generation from outside: live, kept, or who builds it
filters               those that no point can meet
points                what should be stored: drafts of points, and where they come from
sync, plan            what differs between the index and the drafts, and what to do about it
indexes               the payload indexes that a generation lacks
write, upload         send it, verify it, publish it
shrinkage             refuses to replace an index by a much smaller one
live, open            the live generation; which of the two kinds of Qdrant is used
embedded              Qdrant's engine in the process: a generation is a folder
server                a Qdrant server or cluster: a generation is two collections
maintenance           verify, export and import, roll back
"""
