import ArgumentParser

/// `notify-bridge reference`: prints a page that is generated from the table of settings, for `make configuration`.
struct ReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference", abstract: "Prints a generated page of the settings.", shouldDisplay: false)

  @Argument(help: "The page.")
  var page: ReferencePages.Page

  func run() throws { FileOutput.write(Array(page.text.utf8), to: 1) }
}

extension ReferencePages.Page: ExpressibleByArgument {}
