//! A bit reader with Exp-Golomb codes, over bytes with emulation prevention removed on the fly.
