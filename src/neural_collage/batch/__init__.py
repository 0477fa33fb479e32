"""Whole collections: every picture of a store through one task, by as many processes as there are.

What is in a store is said in `stores` and `tables`, what is done to each item in `tasks`, who does
it in `local` and `cluster`, what became of it in `manifest`; `runner` brings them together.
"""
