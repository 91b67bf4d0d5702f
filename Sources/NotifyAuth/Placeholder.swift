import JWTKit
import AsyncHTTPClient
enum Placeholder {}
