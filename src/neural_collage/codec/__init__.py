"""The .clg container and the codecs of its payload; not the files of other formats (`io`)."""
