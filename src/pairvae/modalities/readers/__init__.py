"""Raw files of instruments as arrays, judged before anything is decoded."""
