/// Keys of kinds that are refused, and a server's. They guard nothing: they are for these tests only.
enum OtherKeys {
  /// A public key on a curve that no algorithm of ours has.
  static let secp256k1 = """
    -----BEGIN PUBLIC KEY-----
    MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEySMfnB8W82B3ngLW2KjVC3MeOGeyQD/+
    3BtbHblziFyXsWh4dmMyIOAf3Kne3uRdVSS4cNR9QBnAI08SmeJY/w==
    -----END PUBLIC KEY-----
    """
  /// A public key that is for RSASSA-PSS only, by its object identifier.
  static let rsaPSS = """
    -----BEGIN PUBLIC KEY-----
    MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAOkX532b1waGaXN1ddmYZpWe
    NFGZMZZ+Pp6VIyqrOibN76YBGgfXnQBlzsG7SFTI3b4WawrnYPSEGSCaEx/xEN4U
    kUSsdrXw25CQfbDbUlEU2WO1Y8m9DnDEY8/i4AktgI3kbiGl0saIEv5+mbF+zl3C
    7teuQTAHxUwpzM3V9K8jPY+hq/0VUSablFkeFttRwca/CPTTKaxWM2KlOd14t+cB
    ijmYGSF6VTUz8stvTz6YVOFCfWSW41XIJOX616DMr00b1WwKx1lmyfMxsntUO9FY
    KBEwXtkLBwSGsg3iY0s0zGeMqOFQt67awSZRncmEp1N53NHUGsKhDgR1lylqadEC
    AwEAAQ==
    -----END PUBLIC KEY-----
    """
  /// A public key for agreeing on keys.
  static let x25519 = """
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VuAyEAdbO7ABzcDjRKytX1ofoIsVb1AKuzWm0JDvCmB/peS2Y=
    -----END PUBLIC KEY-----
    """
  /// A certificate for an Ed25519 key.
  static let ed25519Certificate = """
    -----BEGIN CERTIFICATE-----
    MIHoMIGboAMCAQICAQEwBQYDK2VwMBAxDjAMBgNVBAMMBXRlc3RzMCAXDTI1MDEw
    MTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjAQMQ4wDAYDVQQDDAV0ZXN0czAqMAUG
    AytlcAMhAPfBi8hdVTAFy3ZdOjPET6Tl8D42ahA0SoXIAUZqKyIDoxgwFjAUBgNV
    HREEDTALgglsb2NhbGhvc3QwBQYDK2VwA0EA7pxMY8XNosLJPR3ssp0awlrRezA5
    +b+e48XSy4vLrPDUHlVNpBxgU/Vx9JC3ZWMYYqYUHXJICzMulnxuoYN/CA==
    -----END CERTIFICATE-----
    """
  /// A certificate for `localhost`, signed by itself.
  static let serverCertificate = """
    -----BEGIN CERTIFICATE-----
    MIIBKDCBz6ADAgECAgEBMAoGCCqGSM49BAMCMBAxDjAMBgNVBAMMBXRlc3RzMCAX
    DTI1MDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjAQMQ4wDAYDVQQDDAV0ZXN0
    czBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFYNHVgtDSLJk7qygwzDc2jtJ6Ir
    ZUL5eBHKn+qNmKFecetT8mYRUDfQlVSpHqwhdt/RqLBxouJWR9WrErRcyPajGDAW
    MBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNIADBFAiEA8EvhvLdH
    JnefBzN+JAdyN7FXJ6xU2lUiWhM9K4J42BkCIGcyuJptE3gaD251+KokqejKKzwD
    UTEqMOFrqSWEs0Vx
    -----END CERTIFICATE-----
    """
  /// Its private key.
  static let serverKey = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+xVYYx4kX+34Ekiw
    OqAyNQRqgPaxmbEKowhdJIORaEehRANCAARWDR1YLQ0iyZO6soMMw3No7SeiK2VC
    +XgRyp/qjZihXnHrU/JmEVA30JVUqR6sIXbf0aiwcaLiVkfVqxK0XMj2
    -----END PRIVATE KEY-----
    """
}
