"""Trains an encoder on Rust: questions and the code that answers them, from records of projects.

In the order in which data passes through:

kinds         where the question of a pair comes from
asking        the forms in which people ask for what documentation tells
fragments     code as people remember it, as questions
pairs         what people may ask for and the item that answers it, from one project's records
history       what functions were changed for, by git
corpus        the pairs of all projects, without repetitions and what must not be learned
settings      how to train, and what a training came to
batches       the pairs as rows of text, in one dataset for each project
student       the model to train: the base, or some of its layers
contrast      the loss by which a question finds its item among others
distilling    a teacher's vectors, and the loss that draws the student to them
scores        how well a model finds the items of projects that it was not trained on
plan          what a training is, on disk, so that a later run goes on with the same one
progress      log lines, and when the state is saved
training      the training itself, by sentence-transformers' trainer
card          what a model was made of, and how good it is

`training`, `contrast` and `distilling` need the extra `tune`; all up to `settings` and `card` need
no torch.
"""
