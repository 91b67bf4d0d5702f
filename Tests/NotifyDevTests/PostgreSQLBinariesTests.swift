import Testing

@testable import NotifyDev

@Suite("The private PostgreSQL")
struct PostgreSQLBinariesTests {
  private func find(_ folders: Set<String>, path: [String] = [], configured: String? = nil) -> String? {
    PostgreSQLBinaries.find(
      searchPath: path, configured: configured,
      roots: [("/usr/lib/postgresql", ["9.6", "13", "15", "14"], "/bin"), ("/opt", ["postgresql@17"], "/bin")],
      isExecutable: { program in folders.contains { program.hasPrefix($0 + "/") } })?.folder
  }

  @Test("dev finds PostgreSQL on the path, then by pg_config, then in the folders of packages, the newest first")
  func binaries() {
    let debian: Set = ["/usr/lib/postgresql/14/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/13/bin"]
    #expect(find(debian) == "/usr/lib/postgresql/15/bin")
    #expect(find(debian.union(["/a"]), path: ["/b", "/a"]) == "/a")
    #expect(find(debian.union(["/c"]), configured: "/c") == "/c")
    #expect(find(["/opt/postgresql@17/bin"]) == "/opt/postgresql@17/bin")
    #expect(find(["/usr/lib/postgresql/13/bin"]) == nil)
    #expect(find([]) == nil)
  }
}
