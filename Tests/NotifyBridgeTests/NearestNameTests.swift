import Testing

@testable import notify_bridge

@Suite("The nearest known name")
struct NearestNameTests {
  @Test("The distance of names counts inserted, removed, changed and swapped letters, regardless of case")
  func distances() {
    #expect(NearestName.distance("port", "port") == 0)
    #expect(NearestName.distance("PORT", "port") == 0)
    #expect(NearestName.distance("prot", "port") == 1)
    #expect(NearestName.distance("prt", "port") == 1)
    #expect(NearestName.distance("porrt", "port") == 1)
    #expect(NearestName.distance("pott", "port") == 1)
    #expect(NearestName.distance("", "port") == 4)
    #expect(NearestName.distance("kitten", "sitting") == 3)
  }

  @Test("The nearest name is the one with the fewest changes")
  func nearest() {
    #expect(NearestName.nearest(to: "HTTP_PROT", among: ["HTTP_HOST", "HTTP_PORT", "LOG_LEVEL"]) == "HTTP_PORT")
    #expect(NearestName.nearest(to: "x", among: []) == nil)
  }
}
