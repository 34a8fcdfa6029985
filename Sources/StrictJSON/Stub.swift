enum StubStrictJSON {}
