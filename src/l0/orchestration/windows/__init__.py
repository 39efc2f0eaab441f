"""Windows over a document: where they are cut, how they are measured, and how all of them are worked on."""
