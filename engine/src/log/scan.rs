//! Reads an unsealed segment from its start and says where believable groups end and why. Never writes.
