// Made by Fixtures/make_django_fixtures.py with Django 5.2.19. They let nobody in anywhere.

/// Sessions of Django; each was signed at `now`.
enum DjangoFixtures {
  /// Seconds since 1970 UTC.
  static let now = 1790000000.0
  /// `SECRET_KEY`.
  static let secret = #"""
    django-tests-5k8^q2v#m1z0x7c3b9n4l6j_h2g5f8d1s0a7p
    """#
  /// The key before it.
  static let older = #"""
    django-tests-older-0q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5
    """#
  /// The user's password, as the column has it.
  static let password = #"""
    pbkdf2_sha256$1000000$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo
    """#
  /// `session_data` of user 42.
  static let row = #"""
    .eJxVjMsOwiAQRf-FtSEwTGVw6b7fQHhMpWogKe3K-O_apAvd3nPOfQkftrX4rfPi5ywuAkGcfscY0oPrTvI91FuTqdV1maPcFXn\#
    QLseW-Xk93L-DEnr51i65gVBZx5aU0cxxgmjxbHRkCpMKoBmIIiIkS5h0UoYdMivgATSJ9wf0lDd7:1x8elk:BDI3ZvqSZEU3sCW\#
    TqovW-C1xS5W3mrtmaB6Uk4k21_g
    """#
  /// The same, not compressed.
  static let plainRow = #"""
    eyJfYXV0aF91c2VyX2lkIjoiNDIiLCJfYXV0aF91c2VyX2JhY2tlbmQiOiJkamFuZ28uY29udHJpYi5hdXRoLmJhY2tlbmRzLk1v\#
    ZGVsQmFja2VuZCIsIl9hdXRoX3VzZXJfaGFzaCI6IjljOTU4NDA3OWU3ODAzMWVlYmYyYjc0NjMxYmU4YWYwYTIxZTI4OGI0NDJj\#
    Nzg0YzFjMDNlOTRlZTAyZTUyMTgifQ:1x8elk:-0fGLMWBsk9L_JuN0buq7x3xGCjMBMoIvlH22r2Gy5I
    """#
  /// The same with much in it, compressed.
  static let compressedRow = #"""
    .eJztzEsOgjAUBdCtmI5N05aHFIfOXYEY0pbHRwwkFEbGvQsJA12Aszs99_MSpVvmtlwiT2VXibMgI47f6F3oediS6uGGZpRhHOa\#
    p83KryD2N8jpW_Lzs3Z-D1sV2XechTy2pLOfMqkQz-9r4jE6J9mxdrZzRbKz1RCZkloIOKuGcmJXh1Gi7nnoXe57F-SaKRSmmQyH\#
    mthuaQqwhCAQCgUAgEAgEAoFAIBAIBAKBQCAQCAQCgf5O9_cHzMm6ow:1x8elk:8SggnKxbfFk3ID7F7GTH86nV00qFfMvuQu0Dv\#
    hSDt2E
    """#
  /// `session_data` of nobody yet.
  static let visitorRow = #"""
    eyJzZWVuIjp0cnVlfQ:1x8elk:-MZr3vQNvV-wUCHtdKHNPHpXcv4pAzTNszdkWtuXKRs
    """#
  /// With a number for the user.
  static let numberRow = #"""
    .eJxVjMsOwiAQRf-FtSEwTGVw6b7fQHhMpWogKe3K-O_WpAvdnnvOfQkftrX4rfPi5ywuCKdfFEN6cN25yPdQb02mVtdljvKryGP\#
    tcmyZn9fD_TsooZe9dskNhMo6tqSMZo4TRItnoyNTmFQAzUAUESFZwqSTMuyQWQEPoEm8P76-Nzc:1x8elk:zk8eq0knubGlmLgT\#
    7KCyYvIaVz78xWGl0n8bvAehFiM
    """#
  /// Without `_auth_user_hash`.
  static let hashlessRow = #"""
    eyJfYXV0aF91c2VyX2lkIjoiNDIifQ:1x8elk:LGCnsoovZKcDG2rEoB9tVkHIdEDaiMGif6w_cKSMfS4
    """#
  /// Of a uuid.
  static let uuidRow = #"""
    .eJxVzMsOwiAQheF3YW3JAEMBl-59hoYZBls1bdLLyvju2qQLXZ__Oy_V5W3tu22RuRuKOisoUNucpAmM1GAFaVL2tnFk2JcgqRp\#
    Qp19GmR8y7rbc83ibNE_jOg-k90Qf66KvU5Hn5Wj_Dvq89F-dOPmIEJKECM6IULUUsHWGJOYK2RqxMRKi5RCRDYOThCJgxVsT1fs\#
    DHvRA5g:1x8elk:gMAxET-1tcWgxFWlRWpXGxoCdxMcY2IMT9Go4sZOSzU
    """#
  /// With other data that no strict reader of JSON takes.
  static let oddRow = #"""
    .eJztlD1OxDAQhe8yLSbYjpc4Keko2AtgFPlnvPESHEhsIYS4O44UCaXbkmK_YjSamfeakd43RB2hO-ojgRB9iCF9Qfe4dQTeQsw\#
    LdLd_k0GPHjrQKjtJqQECDvEduucrl_Ny5XIIjFM8QcfolX8FAT9OOpXP4E1NJQFWgiF9Bouw7z_ylLDECChQ6k4Z5VVUs0oqrzZ\#
    rRbHmSe1KRUqLpNc5DX1ecO6DK0rB90Oj7SvGdePOOp6myk4xzcFU60m1bZfqaXI4Pmy3O4NBL0NRt7Y9SEGbFhtJa4ZoPDeNuK-\#
    ZQak91Zwhl9IIwW0jhWWW1tgKRMrxwJmEn19uPZAk:1x8elk:k6riBSOb5blssSH3vOZlUYYnaX4r_NNc8F2oV3og93w
    """#
  /// The same in a signed cookie.
  static let oddCookie = #"""
    .eJztlD1OxDAQhe8yLSbYjpc4Keko2AtgFPlnvPESHEhsIYS4O44UCaXbkmK_YjSamfeakd43RB2hO-ojgRB9iCF9Qfe4dQTeQsw\#
    LdLd_k0GPHjrQKjtJqQECDvEduucrl_Ny5XIIjFM8QcfolX8FAT9OOpXP4E1NJQFWgiF9Bouw7z_ylLDECChQ6k4Z5VVUs0oqrzZ\#
    rRbHmSe1KRUqLpNc5DX1ecO6DK0rB90Oj7SvGdePOOp6myk4xzcFU60m1bZfqaXI4Pmy3O4NBL0NRt7Y9SEGbFhtJa4ZoPDeNuK-\#
    ZQak91Zwhl9IIwW0jhWWW1tgKRMrxwJmEn19uPZAk:1x8elk:sdDkSI2JdJtmOXqaaHZ_tW3pP4YF4E1DP7hbYmaN4cw
    """#
  /// With a lone surrogate for the user.
  static let halfUserRow = #"""
    .eJxVzMsOwiAQheF3YW3IcKkMLt37BiZkgKlUTUlKWRnfXZt0oevvP-clAvW1hN54CVMWJ3HtGQHE4RcipQfPm-Y7zbcqU53XZYp\#
    yS-SuTV5q5ud5b_8OCrXyXfvkB7TgPDsEo5jjqKOzR6MiI41AWrFGjNbq5NAmlcCwt8ygedAKxfsD6kY44g:1x8elk:ExL2tKGjp\#
    qzlFhG-zgGUZT72lW6gNteziyrQbyRNB20
    """#
  /// Small, and more than a mebibyte when inflated.
  static let hugeRow = #"""
    .eJztzMFOwkAUBdB_6do07TDYqUv3fAOZKYMgBhIKiYnx34WEhf6Bi3OW7953v5p1vl526-tcz-v9pnlpYmiefh9Lng71eE827_n\#
    4dmqn0_Fy3pf2Xmkf6dyuTpv68fro_hnY5Xl3-x6ncZliN4x1SN2ir7VsQxni86IvNeVtl0NfQ0olxjANKU791C3qGGvtQl2GPt1\#
    GS54P9XLb-gQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\#
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD-neb7ByvI2eU:1x8elk:Ru79R0LpR5YXFuY58jJFGOqYpxjWWHmEFgXQUelPzqw
    """#
  /// A session in a signed cookie.
  static let cookie = #"""
    .eJxVjMsOwiAQRf-FtSEwTGVw6b7fQHhMpWogKe3K-O_apAvd3nPOfQkftrX4rfPi5ywuAkGcfscY0oPrTvI91FuTqdV1maPcFXn\#
    QLseW-Xk93L-DEnr51i65gVBZx5aU0cxxgmjxbHRkCpMKoBmIIiIkS5h0UoYdMivgATSJ9wf0lDd7:1x8elk:ISZcxhtJdmGBSl0\#
    pVKqu9sgcXKqV8SHDfBOVpnwe0do
    """#
  /// The same, compressed.
  static let compressedCookie = #"""
    .eJztzLEOgyAQBuB3YW4IIBZw7N4naBrD4SnWBhPBqem7VxOHdu9405f8_3_3Yq1fS2zXjEs7dqxhWrHTdwg-TJj2pnv4NMw8zKk\#
    sI_B9wo828-vc4fNybH8eRJ_jdu2Cq60WxqGxopKI0Csw-lxJQOt74ZVEZS1orYKxOsggKnQaUSislbTbU_B5wsKaGytxTMOWkCR\#
    JkiRJkv_w_v4AepY1EA:1x8elk:-U1yGrau2yqqDPDSXbc4uWQZnWkHhH0mpdhX-fsTOic
    """#
  /// One of pickles.
  static let pickledCookie = #"""
    gASVsAAAAAAAAAB9lCiMDV9hdXRoX3VzZXJfaWSUjAI0MpSMEl9hdXRoX3VzZXJfYmFja2VuZJSMKWRqYW5nby5jb250cmliLmF1\#
    dGguYmFja2VuZHMuTW9kZWxCYWNrZW5klIwPX2F1dGhfdXNlcl9oYXNolIxAOWM5NTg0MDc5ZTc4MDMxZWViZjJiNzQ2MzFiZThh\#
    ZjBhMjFlMjg4YjQ0MmM3ODRjMWMwM2U5NGVlMDJlNTIxOJR1Lg:1x8elk:XJXvSpZ3Nvy_nhw4lDl8RnOR7Kb3N7Xh07avw_LRBL\#
    I
    """#
  /// Signed with the same key for another purpose.
  static let resetToken = #"""
    eyJfYXV0aF91c2VyX2lkIjoiNDIiLCJfYXV0aF91c2VyX2JhY2tlbmQiOiJkamFuZ28uY29udHJpYi5hdXRoLmJhY2tlbmRzLk1v\#
    ZGVsQmFja2VuZCIsIl9hdXRoX3VzZXJfaGFzaCI6IjljOTU4NDA3OWU3ODAzMWVlYmYyYjc0NjMxYmU4YWYwYTIxZTI4OGI0NDJj\#
    Nzg0YzFjMDNlOTRlZTAyZTUyMTgifQ:1x8elk:q6DgzwvfJ-1-kX9jeECvGmnUixbpCCxCSly_xG-Sfls
    """#
  /// `session_data` signed with the older key.
  static let olderRow = #"""
    .eJxVjDkOwjAUBe_iGlmxv5eIkp4zWP6LSQDZUpxUiLtDpBTQvpl5L5Xytk5p67KkmdVZOatOvyNmekjdCd9zvTVNra7LjHpX9EG\#
    7vjaW5-Vw_w6m3KdvHZhGGHwAdhbIl-jEUIlFRocIKAHEDpYiChnvEMBkRvbgCGEEzur9ARQiOLE:1x8elk:6qDFPG6281pinMmW\#
    KgvCw76kyTNc0Grant-cSE6dR9Y
    """#
}
