"""The tests of hw6, with what they share: `programs` reads and runs small programs, `machine` records and replays."""
