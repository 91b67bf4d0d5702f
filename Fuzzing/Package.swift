// swift-tools-version: 6.2

import PackageDescription

// The parsers of what peers send, instrumented for libFuzzer: see README.md. A package of its own, since it builds less
// than the bridge: nothing of TLS.

let package = Package(
  name: "notify-bridge",
  platforms: [.macOS(.v15)],
  dependencies: [
    // The versions are those of ../Package.swift.
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
  ],
  targets: [
    .systemLibrary(name: "CZlib", path: "Sources/CZlib"),
    .systemLibrary(name: "COpenSSL", path: "Sources/COpenSSL"),
    .target(name: "NotifyCrypto", dependencies: ["COpenSSL"], swiftSettings: settings),
    .target(
      name: "NotifyCore",
      dependencies: [
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "DequeModule", package: "swift-collections"),
      ],
      swiftSettings: settings),
    .target(
      name: "NotifyAuth",
      dependencies: [
        "CZlib", "NotifyCore", "NotifyCrypto",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      exclude: ["JWT/JWTAuthenticator.swift", "JWT/KeySetSource.swift", "JWT/KeySetStore.swift"],
      swiftSettings: settings),
    .target(
      name: "NotifyGateway",
      dependencies: [
        "CZlib", "NotifyCore", "NotifyCrypto",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
      ],
      exclude: [
        "Gateway.swift", "Server/SocketAcceptor.swift", "Server/TLSFiles.swift", "Server/TLSHolder.swift",
      ],
      resources: [.embedInCode("Console/Page")],
      swiftSettings: settings),
    .target(name: "CFuzzer", path: "CFuzzer"),
    .executableTarget(
      name: "fuzz",
      dependencies: [
        "CFuzzer", "NotifyAuth", "NotifyCore", "NotifyCrypto", "NotifyGateway",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      path: "Targets",
      swiftSettings: settings,
      // The runtime without a `main`: one program has all targets.
      linkerSettings: [
        .linkedLibrary("stdc++"), .unsafeFlags(["-use-ld=lld", Context.environment["FUZZER_RUNTIME"] ?? ""]),
      ]),
  ],
  swiftLanguageModes: [.v6]
)

var settings: [SwiftSetting] {
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // Only our own code counts as coverage. The frontend alone adds it: for the linker the option would mean a runtime
    // with a `main`. The last of several such options counts.
    .unsafeFlags(["-Xfrontend", "-sanitize=address,fuzzer", "-enable-testing"]),
  ]
}
