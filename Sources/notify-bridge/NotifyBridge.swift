import ArgumentParser
import Configuration
@main struct NotifyBridge: ParsableCommand {}
