"""How good a policy is: labelled requests judged and counted, recorded ones judged again."""

__all__ = ()
