import ArgumentParser
import Configuration
import ServiceLifecycle
import UnixSignals
@main struct P: ParsableCommand { func run() throws {} }
