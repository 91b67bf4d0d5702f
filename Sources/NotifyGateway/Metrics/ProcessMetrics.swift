import Foundation

/// What Linux tells of this process, under the names of Prometheus' client libraries. Other systems give no lines.
///
/// Source: proc_pid_stat(5), proc_pid_status(5).
enum ProcessMetrics {
  /// Fields of `/proc/self/stat`, counted from the one after the program's name.
  private enum Field {
    static let userTime = 11
    static let systemTime = 12
    static let startTime = 19
    static let virtualBytes = 20
    static let residentPages = 21
  }

  /// Lines of Prometheus' text format.
  static func text() -> String {
    guard let line = contents("/proc/self/stat"), let end = line.lastIndex(of: ")") else { return "" }
    let fields = line[end...].split(separator: " ").dropFirst().map { Double($0) ?? 0 }
    guard fields.count > Field.residentPages else { return "" }
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    var text = ""
    func add(_ name: String, _ kind: PrometheusKind, _ value: Double?) {
      guard let value else { return }
      text += "# HELP \(name) \(MetricHelp.text(of: name))\n# TYPE \(name) \(kind.rawValue)\n"
      text += "\(name) \(PrometheusText.number(value))\n"
    }
    add("process_cpu_seconds_total", .counter, (fields[Field.userTime] + fields[Field.systemTime]) / ticks)
    add("process_max_fds", .gauge, descriptorLimit)
    add("process_open_fds", .gauge, openDescriptors)
    add("process_resident_memory_bytes", .gauge, fields[Field.residentPages] * Double(sysconf(Int32(_SC_PAGESIZE))))
    add("process_start_time_seconds", .gauge, bootTime.map { $0 + fields[Field.startTime] / ticks })
    add("process_virtual_memory_bytes", .gauge, fields[Field.virtualBytes])
    return text
  }

  private static func contents(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Seconds since 1970 at which the system was started; it stays the same.
  private static let bootTime: Double? = contents("/proc/stat")?
    .split(separator: "\n").first { $0.hasPrefix("btime ") }
    .flatMap { Double($0.dropFirst("btime ".count)) }

  private static var descriptorLimit: Double? {
    let lines = contents("/proc/self/limits")?.split(separator: "\n")
    // `Max open files`, soft, hard, unit.
    return lines?.first { $0.hasPrefix("Max open files") }?.split(separator: " ").dropFirst(3).first
      .flatMap { $0 == "unlimited" ? .infinity : Double($0) }
  }

  private static var openDescriptors: Double? {
    let folder = "/proc/self/fd"
    // Since Linux 6.2 the folder's size is the count; to list many thousands takes milliseconds.
    var status = stat()
    if stat(folder, &status) == 0, status.st_size > 0 { return Double(status.st_size) }
    // Listing opens one itself.
    return (try? FileManager.default.contentsOfDirectory(atPath: folder)).map { Double($0.count - 1) }
  }
}
