"""Hierarchical VAEs and their likelihoods; not the pictures made of samples (`art`)."""
