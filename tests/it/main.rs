//! perchd driven from outside, over its sockets and its command line.
