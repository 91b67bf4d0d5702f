import Hummingbird
import NIOSSL
import NIOExtras
import NIOWebSocket
enum Placeholder {}
