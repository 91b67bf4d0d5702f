internal import NotifyCore

/// Reads one page for each of several plans, all under one snapshot. A row that can't be read is left out of its page.
struct ReplayPages {
  /// The page that is being read.
  private struct Current {
    let place: Int
    let isTruncated: Bool
    /// More rows follow than were read.
    var hasMore: Bool
    /// The last row that was read, whether it is in the page or not.
    var last: RowKey?
    /// The page has its bytes: its other rows are for the next one.
    var isFull = false
  }

  private let plans: [ReplayPlan]
  private let generation: GenerationFence.Generation
  private let omitted: [Int32]
  private var rows: BatchBuilder
  private var current: Current?
  /// Bytes of text that came, in pages or not.
  private var text = 0
  /// The statement's snapshot, and when it began.
  private(set) var snapshot: Snapshot?
  private var began: Int64 = 0
  /// The page of each plan; nil where it was not read.
  private(set) var pages: [ReplayPage?]
  /// Rows that can't be read.
  private(set) var failed: [FailedRow] = []

  /// - Parameter omitted: tables that can't be read.
  init(
    of plans: [ReplayPlan], in generation: GenerationFence.Generation, catalog: TableCatalog, omitted: [Int32]
  ) {
    self.omitted = omitted
    self.plans = plans
    self.generation = generation
    rows = BatchBuilder(catalog: catalog)
    pages = Array(repeating: nil, count: plans.count)
  }

  /// Reads the pages by one statement.
  mutating func read(_ connection: PGConnection) throws(StoreError) {
    try connection.replay(plans.map(\.query), timeout: Limits.statementTimeout)
    try readSnapshot(connection)
    while let item = try connection.next() {
      switch item {
      case .request(let index, let isTruncated, let hasMore):
        finishPage()
        current = Current(place: index, isTruncated: isTruncated, hasMore: hasMore)
      case .row(_, let key, _, let createdAt, let data):
        add(key, createdAt: createdAt, data: data)
        if text > Limits.replayText {
          // The server makes no more of it.
          current?.hasMore = true
          finishPage()
          return try connection.cancelStream()
        }
      case .unreadable(_, let key, let sqlstate):
        leaveOut(key, sqlstate)
      case .snapshot, .unsent, .revocation, .gone:
        throw StoreError(.badAnswer, message: "a replay with an item of another stream")
      }
    }
    finishPage()
  }

  /// The rows of a page, by their keys.
  private struct Keys {
    var page: Current
    var keys: [RowKey] = []
    var users: [UserID?] = []
  }

  /// Reads the pages that one statement failed to read: first all keys, then their rows.
  mutating func readByKeys(
    _ connection: PGConnection, of tables: [TableMapping], rowTimeout: Duration
  ) throws(StoreError) {
    try connection.replay(plans.map(\.query), keysAlone: true, timeout: Limits.statementTimeout)
    try readSnapshot(connection)
    var answers: [Keys] = []
    while let item = try connection.next() {
      switch item {
      case .request(let index, let isTruncated, let hasMore):
        answers.append(Keys(page: Current(place: index, isTruncated: isTruncated, hasMore: hasMore)))
      case .row(_, let key, let user, _, _):
        answers[answers.count - 1].keys.append(key)
        answers[answers.count - 1].users.append(user)
      case .unreadable(_, let key, let sqlstate):
        failed.append(FailedRow(key: key, sqlstate: sqlstate))
        answers[answers.count - 1].page.last = key
      case .snapshot, .unsent, .revocation, .gone:
        throw StoreError(.badAnswer, message: "keys with an item of another stream")
      }
    }
    for answer in answers where text <= Limits.replayText {
      current = answer.page
      var found = KeyedRows(answer.keys, connection, of: tables, timeout: rowTimeout)
      while let (index, row) = try found.next() {
        let key = answer.keys[index]
        switch row {
        case .found(let user, let createdAt, let data):
          // A row that was given to another user since then is not this one's.
          if user == answer.users[index] { add(key, createdAt: createdAt, data: data) } else { current?.last = key }
        case .gone: current?.last = key
        case .failed(let sqlstate): leaveOut(key, sqlstate)
        }
        if current?.isFull == true, index + 1 < answer.keys.count {
          current?.hasMore = true
          try connection.cancelStream()
          break
        }
      }
      finishPage()
    }
  }

  private mutating func readSnapshot(_ connection: PGConnection) throws(StoreError) {
    guard case .snapshot(let snapshot, let began?) = try connection.next() else {
      throw StoreError(.badAnswer, message: "a replay without a snapshot")
    }
    self.snapshot = snapshot
    self.began = began
  }

  private mutating func add(_ key: RowKey, createdAt: Int64?, data: UnsafeRawBufferPointer) {
    text += data.count
    guard let current else { return }
    if current.isFull {
      self.current?.hasMore = true
      return
    }
    if rows.keys.last == key { return failed.append(.repeated(key)) }
    rows.add(user: plans[current.place].request.user, key: key, createdAt: createdAt, data: data)
    self.current?.last = key
    self.current?.isFull = rows.payloadBytes >= Limits.replayPageText
  }

  private mutating func leaveOut(_ key: RowKey, _ sqlstate: String) {
    failed.append(FailedRow(key: key, sqlstate: sqlstate))
    if current?.isFull == true { return }
    current?.last = key
  }

  private mutating func finishPage() {
    guard let current, let snapshot else { return }
    pages[current.place] = plans[current.place].page(
      &rows, snapshot: snapshot, at: began, isTruncated: current.isTruncated,
      next: current.hasMore ? current.last : nil,
      in: generation, omitted: omitted)
    self.current = nil
  }
}
