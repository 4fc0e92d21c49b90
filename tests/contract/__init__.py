"""CONTRACT.md held to the letter, sentence by sentence, from outside."""
