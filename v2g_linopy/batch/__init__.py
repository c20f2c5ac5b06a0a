"""A study of many cases on many workers: each case is two files, and what is there is done."""
