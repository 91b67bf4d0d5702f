import CFuzzer
import Foundation

// `fuzz TARGET …`: runs libFuzzer with the arguments behind the target's name.

let targets: [String: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32] = [
  "frames": { run($0, $1, Frames.run) },
  "head": { run($0, $1, Head.run) },
  "fields": { run($0, $1, Fields.run) },
  "messages": { run($0, $1, Messages.run) },
  "json": { run($0, $1, JSON.run) },
  "tokens": { run($0, $1, Tokens.run) },
  "cookies": { run($0, $1, Cookies.run) },
  "forwarded": { run($0, $1, Forwarded.run) },
  "cursors": { run($0, $1, Cursors.run) },
]

func run(_ start: UnsafePointer<UInt8>?, _ count: Int, _ body: (Input) -> Void) -> Int32 {
  body(Input(UnsafeRawBufferPointer(start: start, count: count)))
  return 0
}

let name = CommandLine.arguments.dropFirst().first ?? ""
guard let target = targets[name] else {
  print(targets.keys.sorted().joined(separator: "\n"))
  exit(name == "list" ? 0 : 2)
}
// libFuzzer skips the program's name, and takes folders and options behind it.
var count = CommandLine.argc - 1
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
exit(LLVMFuzzerRunDriver(&count, &arguments, target))
