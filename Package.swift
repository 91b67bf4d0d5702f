// swift-tools-version: 6.2

import PackageDescription

/// Every Swift target is built in Swift 6 mode with these settings.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let strictC: [CSetting] = [
  .enableWarning("all"),
  .enableWarning("extra"),
  .enableWarning("conversion"),
  .enableWarning("strict-prototypes"),
  .enableWarning("missing-prototypes"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "notify-bridge",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "notify-bridge", targets: ["notify-bridge"]),
    .library(name: "CNotifyStore", targets: ["CNotifyStore"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
  ],
  targets: [
    .target(
      name: "CNotifyStore",
      cSettings: strictC,
      linkerSettings: [.linkedLibrary("pq")]
    ),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    // libpq needs it anyway. A package's own BoringSSL would take two minutes of every first build.
    .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
    .target(name: "NotifyCrypto", dependencies: ["COpenSSL"], swiftSettings: strict),
    .target(
      name: "NotifyHTTPClient",
      dependencies: [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict
    ),
    .target(
      name: "NotifyCore",
      dependencies: [
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "DequeModule", package: "swift-collections"),
      ],
      swiftSettings: strict
    ),
    .target(
      name: "NotifyStore",
      dependencies: [
        "CNotifyStore", "NotifyCore", "NotifyCrypto",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      exclude: ["SQL/tests", "SQL/current.sql", "SQL/current.sh"],
      resources: [.embedInCode("SQL/schema"), .embedInCode("SQL/functions"), .embedInCode("SQL/finish.sql")],
      swiftSettings: strict
    ),
    .target(
      name: "NotifyAuth",
      dependencies: [
        "CZlib", "NotifyCore", "NotifyCrypto", "NotifyHTTPClient",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict
    ),
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
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      resources: [.embedInCode("Console/Page")],
      swiftSettings: strict
    ),
    // The private PostgreSQL and the demo page of `notify-bridge dev`.
    .target(
      name: "NotifyDev",
      dependencies: [
        "NotifyCore", "NotifyStore", "NotifyGateway",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      resources: [.embedInCode("Demo")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "notify-bridge",
      dependencies: [
        "NotifyCore", "NotifyStore", "NotifyAuth", "NotifyGateway", "NotifyDev", "NotifyHTTPClient",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Yams", package: "Yams"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict
    ),
    // Counts allocations: see Benchmarks/README.md. Neither is part of what ships.
    .target(name: "CMicroSupport", path: "Benchmarks/MicroSupport", cSettings: strictC),
    .executableTarget(
      name: "micro-benchmarks",
      dependencies: [
        "CMicroSupport", "NotifyCore", "NotifyGateway",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      path: "Benchmarks/Micro",
      exclude: ["thresholds.json"],
      swiftSettings: strict
    ),
    // The gateway as an echo server, for the Autobahn|Testsuite. Not part of what ships.
    .executableTarget(
      name: "websocket-echo",
      dependencies: [
        "NotifyCore", "NotifyGateway",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      path: "Tests/Autobahn/websocket-echo",
      swiftSettings: strict
    ),
    // Code that several test targets share.
    .target(
      name: "TestSupport",
      dependencies: [
        "NotifyCore",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(name: "NotifyCoreTests", dependencies: ["NotifyCore", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "NotifyStoreTests",
      dependencies: [
        "NotifyStore", "NotifyCore", "CNotifyStore", "TestSupport",
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "NotifyAuthTests",
      dependencies: [
        "NotifyAuth", "NotifyCore", "NotifyCrypto", "NotifyHTTPClient", "COpenSSL", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      exclude: ["Fixtures"],
      swiftSettings: strict),
    .testTarget(
      name: "NotifyGatewayTests",
      dependencies: [
        "NotifyGateway", "NotifyCore", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(name: "NotifyDevTests", dependencies: ["NotifyDev"], swiftSettings: strict),
    .testTarget(
      name: "NotifyBridgeTests",
      dependencies: [
        "notify-bridge", "NotifyAuth", "NotifyCore", "NotifyGateway", "NotifyStore", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)
