"""Work under way: the operation and its time, its threads, and what is told of it."""
