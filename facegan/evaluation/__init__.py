"""What evaluate.py is made of. Nothing here takes part in a training: a judge must not train."""
