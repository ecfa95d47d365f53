"""From logits to labels: `greedy` takes the best label of every frame."""
