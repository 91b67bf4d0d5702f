/// What happened to a row on its way, for the delivery log.
package enum DeliveryEvent: String, Sendable {
  /// Sockets took it.
  case sent
  /// Clients confirmed it.
  case acknowledged
}

/// An event of a row in the delivery log.
package struct DeliveryRecord: Sendable, Equatable {
  package let row: RowName
  package let event: DeliveryEvent
  /// Of the first device; microseconds since 1970.
  package let at: Int64
  package let devices: Int

  package init(row: RowName, event: DeliveryEvent, at: Int64, devices: Int) {
    self.row = row
    self.event = event
    self.at = at
    self.devices = devices
  }
}
