"""From structures to vectors: render each as text, embed what is not yet in the checkpoint, keep it there."""
