import Hummingbird
import JWTKit
import Crypto
import Logging
enum StubServer {}
