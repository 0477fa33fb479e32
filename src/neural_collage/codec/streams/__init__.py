"""The payloads of the codecs: which symbols, in which order, chosen how; not the file around it."""
