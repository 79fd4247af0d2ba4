//! Reading several files: in which order, and what is refused.
