// Made by Fixtures/make_fixtures.py with PyJWT 2.15.1, djangorestframework-simplejwt
// 5.5.1, Django 5.2.19 and cryptography 50.0.2.
// The keys guard nothing: they are for these tests only.

/// Keys and tokens of other implementations; every token is for user 42 and expires in 2100.
enum Fixtures {
  /// The Django `SECRET_KEY`.
  static let secret = #"""
    django-tests-5k8^q2v#m1z0x7c3b9n4l6j_h2g5f8d1s0a7p
    """#
  /// A private key, PKCS #8.
  static let rsaPrivate = #"""
    -----BEGIN PRIVATE KEY-----
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC4pN2aXq5b8UB9
    8+auJ7xy0OHVjY8Q3DXcQzJ30EA5V46BvB5n7Mufbg/ZLST0XIg5pqSPsLv1xy7i
    mV53w10sHNcgYXvksaegFIuA7/L2H9nW19wztu/elm+5Lri/MooUrephWvJ65zAp
    grbbnkvZM6Bnef4dOQtIWTrGNnmqAAz07P1unut7eHQoKAAR4k5i46EXhaoQk6zK
    vgtt1THzPb7TlA01A6IvlE45SJLIVgjO2J625m34U+8QHCpyCrr/wEgLeYPcfS8F
    aBYji18K6WzJLOxmcdmPtoPIRafeFNOGiDtMDlibxyvpoAKC897iljaOQ9a4ekoA
    4QjvtQZnAgMBAAECggEAF10BD0ngrRCTNPy6GRo9DZghozhkvGDozcSQ67kljzvl
    c8P+Yu8C+trd1YCRVvwoXocX9niJ5/j6lUCLxAKr1OuXSuka2J6kE6zV1AxIhV0V
    Xsp0efSxWExXuapQRR0bfK9e40+zM9rx7Ka2BYb7mPGf38f/X+o6Y76qoa796QUe
    VF3BXYjfIfqFMXaJimCenind++H0/+YJ28tlPU4j29xwgT40sqrvFR0QroLjC6xM
    m0kDD5Ek3rsMTeAQPZHuYOiOW9ja59puumxB9rRJt6SxmX2mkyXup3iQzc8Qb1r5
    CYLtarWzyFFqS/VIwHk/TH+EPYBkxAndcVlbD2g+xQKBgQDwBzWGyFdOIFSzj5A6
    kKhUh/4y7eRNtPdCmiJ92eWMJ/LBoeny8vp1kn+gY8uasYe7q8wvS+F6c7PCjBjZ
    jaP1U/MryPjqAqcKdZwlUzTWQCiBeOf5z5oqC2mNFoBTcwSQ8IfGNHAkJD07+GzL
    GFw47au5bi4ftVz4gUOKfqrg1QKBgQDE7jU9xpRHPseYpi89xDZRYb4MqdcsS7YL
    ouaRtVulTNXCcLpbrZZXQsMngrxQsBIxrJ9rCCnIWTUwPO+Z4hijeH7EK+3I7FVY
    ahpvM7RyeWUll8Jr/ygEzTorhN9knNimGZd3Z0MemBIvH8hFm/Sfxl4n83Dao8O7
    Aofy1WSISwKBgQC+XWlVWUTswHWM55qC6EGosSapK8U64ACOgQJD//GvQ+ujKJAM
    UCrV3nd8NEnBiXVWIX3SMQNGA8eYz1XSDSTxKECfBEhuB+aFRBuv+prYJZA6hzKs
    DLt/BwgSjrr99CW18h4s01/xOhCapH9cYBicSds9OKY6HbP7n0F68NUDdQKBgQCl
    9lZ6RGNsE3VkqREBDd31AdmHlI7ZLskxz0xfGactjK5NGnGDl6wux/3ty1jm6yu6
    H0+OhSepR7zydTg7yHaZNZAnxRm1Da7zPyAd/UYifzoFz3qzRyqzuT0/tdAKW8Cd
    Ys3qe+Tt4Jzah/9g4ojrKeLp6lh+eisW7JAjz0DVNwKBgG/VWfaUSRLAUqXQiDa0
    DaSKwiVJbwn77vpdStLm4RMSSkMQC9JZ/SfrcggEagXPSKF74eLKuM+voDm3NglJ
    mLLurITpG2xy5hOZCvNHZXswLllowznqtLBElPeACTVqfgc3mYd5pB8DlXXBZpBI
    58+tzoIEgL8EwGK6lE911VU/
    -----END PRIVATE KEY-----
    """#
  /// Its public key.
  static let rsaPublic = #"""
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuKTdml6uW/FAffPmrie8
    ctDh1Y2PENw13EMyd9BAOVeOgbweZ+zLn24P2S0k9FyIOaakj7C79ccu4pled8Nd
    LBzXIGF75LGnoBSLgO/y9h/Z1tfcM7bv3pZvuS64vzKKFK3qYVryeucwKYK2255L
    2TOgZ3n+HTkLSFk6xjZ5qgAM9Oz9bp7re3h0KCgAEeJOYuOhF4WqEJOsyr4LbdUx
    8z2+05QNNQOiL5ROOUiSyFYIztietuZt+FPvEBwqcgq6/8BIC3mD3H0vBWgWI4tf
    CulsySzsZnHZj7aDyEWn3hTThog7TA5Ym8cr6aACgvPe4pY2jkPWuHpKAOEI77UG
    ZwIDAQAB
    -----END PUBLIC KEY-----
    """#
  /// A private key, PKCS #8.
  static let p256Private = #"""
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXs4uSjsDIYrUZYbc
    jYjbv580cZXSNvgCHp9FLxb5armhRANCAAT28xmMVM6QhtRp6SgbE7WR0gRbH6lI
    1gYSoqBtsEnnlQ1Cahsk8kzzStC1U7EOJVNPS9nF8NaS/9lgIq3JqK6Z
    -----END PRIVATE KEY-----
    """#
  /// Its public key.
  static let p256Public = #"""
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9vMZjFTOkIbUaekoGxO1kdIEWx+p
    SNYGEqKgbbBJ55UNQmobJPJM80rQtVOxDiVTT0vZxfDWkv/ZYCKtyaiumQ==
    -----END PUBLIC KEY-----
    """#
  /// A private key, PKCS #8.
  static let p384Private = #"""
    -----BEGIN PRIVATE KEY-----
    MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAijR7QrsmmNIjIBveE
    S6vth34ehm66AlgB4wxjeULQtY7XHjoA/4J6DOodR+08lFKhZANiAASVWQkb8I7e
    cRLfpoM82L9mXdHhZGFZk34tSVzH1gQ3F3yspsROebaDB8WGN4qxdBExV8rIXtyP
    cyeuurAEnYWEGLPGU4wdm1diDlUaN40aMPZ76MW7bIt5JMvfGwMPDnE=
    -----END PRIVATE KEY-----
    """#
  /// Its public key.
  static let p384Public = #"""
    -----BEGIN PUBLIC KEY-----
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAElVkJG/CO3nES36aDPNi/Zl3R4WRhWZN+
    LUlcx9YENxd8rKbETnm2gwfFhjeKsXQRMVfKyF7cj3MnrrqwBJ2FhBizxlOMHZtX
    Yg5VGjeNGjD2e+jFu2yLeSTL3xsDDw5x
    -----END PUBLIC KEY-----
    """#
  /// A private key, PKCS #8.
  static let p521Private = #"""
    -----BEGIN PRIVATE KEY-----
    MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAdCQ583+Ku4gkdtc3
    NFzQhnhhbxcXCZjmIr64EmoPSK1/QLkfck8JE+1aPYuEsRy7I5u47mbuwbvw5g16
    IlReTR+hgYkDgYYABACVYIFJdC2G/AkY9eu0ms2t0TAEvhfvZkHOp7etOJgoK+sX
    6SslGipOOtuIkGjfL60a/bzWgOF4KTTOqEWYtjaIOQHTsqnIWdqdpp0cMIvrweGW
    c6wEUDTVQJz9EYXGHHrawp3/DXgiph8oOGWgBeyXhvsuGECGMSXpNPt7Cg81CfKZ
    Kw==
    -----END PRIVATE KEY-----
    """#
  /// Its public key.
  static let p521Public = #"""
    -----BEGIN PUBLIC KEY-----
    MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAlWCBSXQthvwJGPXrtJrNrdEwBL4X
    72ZBzqe3rTiYKCvrF+krJRoqTjrbiJBo3y+tGv281oDheCk0zqhFmLY2iDkB07Kp
    yFnanaadHDCL68HhlnOsBFA01UCc/RGFxhx62sKd/w14IqYfKDhloAXsl4b7LhhA
    hjEl6TT7ewoPNQnymSs=
    -----END PUBLIC KEY-----
    """#
  /// A private key, PKCS #8.
  static let ed25519Private = #"""
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEIPU8PXAl2qr9ijj95wdIlVTmx1mqzIQh9suloKJjW9Y2
    -----END PRIVATE KEY-----
    """#
  /// Its public key.
  static let ed25519Public = #"""
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEAtNeXyOcXyqKJHEcfPgPcvMrK626ioCSFD1jaSeljBoQ=
    -----END PUBLIC KEY-----
    """#
  /// The RSA key as `RSA PUBLIC KEY`.
  static let rsaPKCS1 = #"""
    -----BEGIN RSA PUBLIC KEY-----
    MIIBCgKCAQEAuKTdml6uW/FAffPmrie8ctDh1Y2PENw13EMyd9BAOVeOgbweZ+zL
    n24P2S0k9FyIOaakj7C79ccu4pled8NdLBzXIGF75LGnoBSLgO/y9h/Z1tfcM7bv
    3pZvuS64vzKKFK3qYVryeucwKYK2255L2TOgZ3n+HTkLSFk6xjZ5qgAM9Oz9bp7r
    e3h0KCgAEeJOYuOhF4WqEJOsyr4LbdUx8z2+05QNNQOiL5ROOUiSyFYIztietuZt
    +FPvEBwqcgq6/8BIC3mD3H0vBWgWI4tfCulsySzsZnHZj7aDyEWn3hTThog7TA5Y
    m8cr6aACgvPe4pY2jkPWuHpKAOEI77UGZwIDAQAB
    -----END RSA PUBLIC KEY-----
    """#
  /// A certificate for the RSA key.
  static let rsaCertificate = #"""
    -----BEGIN CERTIFICATE-----
    MIICmzCCAYOgAwIBAgIBATANBgkqhkiG9w0BAQsFADAQMQ4wDAYDVQQDDAV0ZXN0
    czAgFw0yNTAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowEDEOMAwGA1UEAwwF
    dGVzdHMwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQC4pN2aXq5b8UB9
    8+auJ7xy0OHVjY8Q3DXcQzJ30EA5V46BvB5n7Mufbg/ZLST0XIg5pqSPsLv1xy7i
    mV53w10sHNcgYXvksaegFIuA7/L2H9nW19wztu/elm+5Lri/MooUrephWvJ65zAp
    grbbnkvZM6Bnef4dOQtIWTrGNnmqAAz07P1unut7eHQoKAAR4k5i46EXhaoQk6zK
    vgtt1THzPb7TlA01A6IvlE45SJLIVgjO2J625m34U+8QHCpyCrr/wEgLeYPcfS8F
    aBYji18K6WzJLOxmcdmPtoPIRafeFNOGiDtMDlibxyvpoAKC897iljaOQ9a4ekoA
    4QjvtQZnAgMBAAEwDQYJKoZIhvcNAQELBQADggEBAK0PhKf2F18m53f4EsHpLP40
    orEHthIe4uj5nIyb0yvjcw3q0ffLq5LH/Ae8vN2Y7lnFRFtONWa7Z1ScSkMaPVYS
    4hE2MdoGUHHeKk5rmmPQ/xbANlzieV3GTPQaFqRCYMt6PfYuoj3eSwvisezh/TXb
    yLDr4vHvDaX5hpHbwJXuBS4tWeHI74R7K8RWHY7YXJYETW7a9ELxy5ZV44JhL9Mp
    se3xwIwZpufj71HX/cQWulD+jal3AL8EgbJMCTAZPddePg9jh/FbJDXHMmDIt/qD
    F4/fzbd6bKneUhEmz7rQAaPfe3zCiWy2hpxdJew/JkGiHjnatpxWTTzUfWJctd0=
    -----END CERTIFICATE-----
    """#
  /// A certificate for the P-256 key.
  static let p256Certificate = #"""
    -----BEGIN CERTIFICATE-----
    MIIBDjCBtaADAgECAgEBMAoGCCqGSM49BAMCMBAxDjAMBgNVBAMMBXRlc3RzMCAX
    DTI1MDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjAQMQ4wDAYDVQQDDAV0ZXN0
    czBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPbzGYxUzpCG1GnpKBsTtZHSBFsf
    qUjWBhKioG2wSeeVDUJqGyTyTPNK0LVTsQ4lU09L2cXw1pL/2WAircmorpkwCgYI
    KoZIzj0EAwIDSAAwRQIgfOVFi5E+3KYUdyqtT+9rNKVp1t7YkjLmFErk5ewnwXIC
    IQCf9S6uRgvk0bJGMjiHy8EvE/vBhusxaJUAkKRkqLG7ZA==
    -----END CERTIFICATE-----
    """#
  /// An RSA key of 1024 bits.
  static let weakPublic = #"""
    -----BEGIN PUBLIC KEY-----
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCvYhrds0ogoXxjNW+WkcBks9S9
    H2QEFMOJO+jVbrw1JRNn8fC1ELW9zs5PgOerygEon8jYO5qWjkS3nnwKIviHRxad
    PMm7mFQ2KS6//ZxiJ+bG2tHQwrvMJ7L4vp8XzQmLy138L3ffi6R6qDdUg80NJqLr
    BlvD73CQrD22cuDgpwIDAQAB
    -----END PUBLIC KEY-----
    """#
  /// The same as a JWKS.
  static let weakJWKS = #"""
    {"keys": [{"kty": "RSA", "n": "r2Ia3bNKIKF8YzVvlpHAZLPUvR9kBBTDiTvo1W68NSUTZ_HwtRC1vc7OT4Dnq8oBKJ_I2\#
    Dualo5Et558CiL4h0cWnTzJu5hUNikuv_2cYifmxtrR0MK7zCey-L6fF80Ji8td_C9334ukeqg3VIPNDSai6wZbw-9wkKw9tnLg4\#
    Kc", "e": "AQAB", "kid": "weak", "use": "sig", "alg": "RS256"}]}
    """#
  /// The public keys as a JWKS.
  static let jwks = #"""
    {"keys": [{"kty": "RSA", "n": "uKTdml6uW_FAffPmrie8ctDh1Y2PENw13EMyd9BAOVeOgbweZ-zLn24P2S0k9FyIOaakj\#
    7C79ccu4pled8NdLBzXIGF75LGnoBSLgO_y9h_Z1tfcM7bv3pZvuS64vzKKFK3qYVryeucwKYK2255L2TOgZ3n-HTkLSFk6xjZ5q\#
    gAM9Oz9bp7re3h0KCgAEeJOYuOhF4WqEJOsyr4LbdUx8z2-05QNNQOiL5ROOUiSyFYIztietuZt-FPvEBwqcgq6_8BIC3mD3H0vB\#
    WgWI4tfCulsySzsZnHZj7aDyEWn3hTThog7TA5Ym8cr6aACgvPe4pY2jkPWuHpKAOEI77UGZw", "e": "AQAB", "kid": "rsa\#
    ", "use": "sig"}, {"kty": "EC", "crv": "P-256", "x": "9vMZjFTOkIbUaekoGxO1kdIEWx-pSNYGEqKgbbBJ55U", \#
    "y": "DUJqGyTyTPNK0LVTsQ4lU09L2cXw1pL_2WAircmorpk", "kid": "p256", "use": "sig"}, {"kty": "EC", "crv\#
    ": "P-384", "x": "lVkJG_CO3nES36aDPNi_Zl3R4WRhWZN-LUlcx9YENxd8rKbETnm2gwfFhjeKsXQR", "y": "MVfKyF7cj\#
    3MnrrqwBJ2FhBizxlOMHZtXYg5VGjeNGjD2e-jFu2yLeSTL3xsDDw5x", "kid": "p384", "use": "sig"}, {"kty": "EC"\#
    , "crv": "P-521", "x": "AJVggUl0LYb8CRj167Saza3RMAS-F-9mQc6nt604mCgr6xfpKyUaKk4624iQaN8vrRr9vNaA4Xgp\#
    NM6oRZi2Nog5", "y": "AdOyqchZ2p2mnRwwi-vB4ZZzrARQNNVAnP0RhcYcetrCnf8NeCKmHyg4ZaAF7JeG-y4YQIYxJek0-3s\#
    KDzUJ8pkr", "kid": "p521", "use": "sig"}, {"x": "tNeXyOcXyqKJHEcfPgPcvMrK626ioCSFD1jaSeljBoQ", "kty"\#
    : "OKP", "crv": "Ed25519", "kid": "ed25519", "use": "sig"}]}
    """#
  /// SimpleJWT's access token, `user_id` a number.
  static let simpleAccess = #"""
    eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE\#
    3OTU0OTkzNDUsImp0aSI6ImYzMjQ3M2I2ZTQzMTRlMWQ4OGM4MDBkYTA4MTQxZDJmIiwidXNlcl9pZCI6NDJ9.wkNXi_HjXN2un_\#
    Wa8wnLgKr76bOe9XVmcK7cod9Qq-A
    """#
  /// SimpleJWT's access token, `user_id` a string.
  static let simpleAccessText = #"""
    eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE\#
    3OTU0OTkzNDUsImp0aSI6ImRmZWNiYjM2NWJlZDQ5Y2RhMzgwNzU3MGY3Y2FiN2M5IiwidXNlcl9pZCI6IjQyIn0.K-Z9VIZ3wtF\#
    rpkV64jien0zJSL4XXqOGdp4TFPt0rLU
    """#
  /// SimpleJWT's refresh token.
  static let simpleRefresh = #"""
    eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0Ijo\#
    xNzk1NDk5MzQ1LCJqdGkiOiJkYTgxZWI1MDM4Y2I0OTJjOGMyMDA4ODc0MWZhNjJiMCIsInVzZXJfaWQiOjQyfQ.9grX0gT8N5tU\#
    K-LdXhmji5K0GNlvJFGzcoxpYKVPjWU
    """#
  /// PyJWT's tokens by algorithm, with a `kid` where the key is public.
  static let tokens: [String: String] = [
    "HS256": #"""
    eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.NlkPSVr6P17ISvfCvnvV\#
    FqBD6m8sucdGI9nzf9o9xgM
    """#,
    "HS384": #"""
    eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.8qrYFVbrjq8PlEicyAAn\#
    ZY2Qyvs-gW7FThokIKFsAEs8aBBnQjdjeZEfvrvsrFOb
    """#,
    "HS512": #"""
    eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.mJUG0uYv43Ocz-rNqhHR\#
    Y5-8hcSy0GunlZIY-JY5aV7OWfnT84Ze9sljdV0UsBXHX0nIVLTGPF7-0x39oqZY8A
    """#,
    "RS256": #"""
    eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.piAq\#
    1mch-8sBVOEYWMQarSeEIgF3yCXsUtQNovThJntfuoaTbY-h8fC6qrRmUUN5PzbAa-9Wtv1Cjpx9nd1nBLB6REzkg3sPWf92HBs_\#
    7ShMBpseImWbFJmjaiaRHbSDW1_mo61W1lP0gXjPGwotdwwCs9zYRIaSWtQK2EmGllv1axJDVH_fArEDs9k_CRfBsxytp68j-xVA\#
    q0nkrzcSvocjDC1bxy5ErBH26rspqum5XTnK12lAkC1p53nCDU6v3kuBkqdTAwQYvre18kvdnqsh_-D4Fmxed0HqpbE9V30-VixI\#
    JGMnubMHr5YqJiEhm7JfOqvkRr5OSEKlCRTW6Q
    """#,
    "RS384": #"""
    eyJhbGciOiJSUzM4NCIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.BRPi\#
    AJqiNzOwwXLUMdtZkVjZS_UbT4CmTzrJJx34IoCWAib0EQTnnPK9mUvTV1kTdDd7a9fywi3TQqQjFBXlcm_awzaaMOzbsSvl79En\#
    qscfFUofIL8i_RccAPF8cp8ehrAkFEkPgjK6srwxYdR18t7pZuBr1-VBbFL-oGYT_tLgtk7uMVWoo1VqUALfnouf1DdF8Ubj0MnB\#
    RJ2QKwQhrGf_dalHxvYrxDz5bdEIaOuOT2Bt3mMIAWC4xtcyf594f7J0HCpx3UsLrM0v-DFDN2WANe0owibmvcFNEnRX2Eg-z6pi\#
    Hhs2LFAJhTnspcVboXVBzGsYOHnGG45hh_e9qQ
    """#,
    "RS512": #"""
    eyJhbGciOiJSUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.WC_f\#
    owWdjaTuoVAixHV0538CPYUBRW4ApBKXZ184bqFpOB4f9FAM3CdRQgFibn9rpmjxsiYRGhxFExN3I7I9pRh5hvech-8tSPgHNNRx\#
    GSGCGgorGD8zq7sttTD7dMsEZMfrtwomzTTed5WIDPeiffk4zGfGCW18JUhZZgps0FtZnz0pWe86E2u9FlUGFCbXaG_qgxAnQGbt\#
    S8qkD-E1kQTpNDz1O71aQMHs-N3LRE0gqetsmIoF6BoHwDinlYd6KiJBvxN0gDBcbtZXtrMjZrNYaqSPMDjJv-fRqWpbq-09EoXq\#
    J_m2dUaO8hPSCtrLx-25zq57HWq1oGRWQiyCaA
    """#,
    "PS256": #"""
    eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.rEUz\#
    krSZGG9d55VEQoLrye4RrlUGinFnpQL3g7WD1AqEu8zh_vXYvV_P4KCS3v2dPfIwTArHRcTXWpm62QbwOOY-tsUcHPjYK6t9eqQp\#
    uWcO541K1Fqv--OhgqJ65YngRJDnp2AZX-jWpM9i0w0KLC9GdEB7dVIk0y6Cn0_WqqttL3Is-4lIBwtt7Ms9eJgdn3TJXRB7gTBL\#
    1USCMoZJSnu5ijrrSCV7n8mpuz7bNEM-CfeJbUPprXW1YVSq8t1HU1PCztM4Yo10aldjpwl-Bih8OZvc2iUlw9WJO3UCkQ8iIrN0\#
    QAYTifDiOrX3LNWchSsfv_jZXTglGJ61PL7kFQ
    """#,
    "PS384": #"""
    eyJhbGciOiJQUzM4NCIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.QZFo\#
    N11y-Bs_0p4eKR-T2YWRmW-rYErlJX8hW2dZxBJBfa4DaLcu55DfSDcrIkGT4je4VrcOfZkKO7Ht1xfu2uxDeG0A0saS-oN-IEcz\#
    5y8-iESO3KxI3-WkSt2ZqvqF3i7VME9mh5ZKyWAMoq_qVnvdGeGLtY1sBYUyfLqwQ6nTRhVKIein_41eIwYh3BM4FYzfJLdAv-sx\#
    klhaPwQfjdutNtAqDBp1tLXIBcnD1P5urY6a31_7PaIQEcfhFjbShCLub7aclotBC4AY3Ri6cSNPr4PRdwGEgEilv5UVo1unn8T5\#
    bRiA1sTZDZjtNNJm3vHbPJ27qT4FCbEUV95J9g
    """#,
    "PS512": #"""
    eyJhbGciOiJQUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.nzCQ\#
    i8fH6msMnyXru94sn8ZKN0RHKYfd7aHEBEClWvDfhIRHRbFPXyQ7e6kO7wAyCKEjeE6VV363PStZR68dNZMEFrD8bwiDsLFODr0u\#
    IjYJxmWEz-tB0fvpGHVTS1kv1JH_M_ojEJmpR08KFFCignu7piWWXB-Wgr5GQEO2sWHGlr_tpxVGKSE4WrrczbS2fICSJDtriY2U\#
    6HyuoxBPLx6kY7u429DM018iBFu74L74te8HviWISkyQYpd5rytpeSdZ_jmykHXy9CI6F87OpcPgvjagIUVJCYSPjSRswAJuIP5l\#
    Yis0fhQ9S07GJqNKEY0PPBYYr5m5S5Af3WEtsA
    """#,
    "ES256": #"""
    eyJhbGciOiJFUzI1NiIsImtpZCI6InAyNTYiLCJ0eXAiOiJKV1QifQ.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.Mg\#
    tXEb84oU0F6c8peekUWSdkZtANUHkIrnxjnvBIENe-v3AJ8Tvue20ROhgNPcVnXvUoCP7LVCxh_T0Muqf2oQ
    """#,
    "ES384": #"""
    eyJhbGciOiJFUzM4NCIsImtpZCI6InAzODQiLCJ0eXAiOiJKV1QifQ.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ._w\#
    jXdg8xXGwMoWgjdZ6TsXYqoLeRpFC8VOi-48sfYaEgJ6TShluqciRvr_5JJ0NgY-LmRx3TTG8hLULVqY48TIeq0ufHmlT3vx25Mn\#
    k7-3IIKdBASk-JXK5ECcShOwEp
    """#,
    "ES512": #"""
    eyJhbGciOiJFUzUxMiIsImtpZCI6InA1MjEiLCJ0eXAiOiJKV1QifQ.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwfQ.AV\#
    JvV9ieo0WydCFO8A40XSyj4cBieJ-ZKZLoNw3pHcyQkWuGO14X7SyUVxtgDmLpLVP6I09fJpWS1iaUl7f3MEgaAZtKzKVNK7fm57\#
    WOpD3v3zRACq3w0a1EoywqEdVQbQ_TXWvo5DTgYpD_xcgmQq487Lw0WrhACPNiWDK2w6qA2ChV
    """#,
    "EdDSA": #"""
    eyJhbGciOiJFZERTQSIsImtpZCI6ImVkMjU1MTkiLCJ0eXAiOiJKV1QifQ.eyJ1c2VyX2lkIjo0MiwiZXhwIjo0MTAyNDQ0ODAwf\#
    Q.Bsn-GlD1BhMYv_-UbaKUBUC5NDVxjIO73v8xQQ7TL1T14hVbwpBJ7iP9dI_j_t-aU46l_9apO-5pOReHZzetAg
    """#,
  ]
}
