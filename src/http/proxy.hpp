#pragma once

#include <string>

#include "filetree/http.hpp"
#include "url.hpp"

namespace filetree::http {

// The proxy by which a URL is reached; empty: none. An IPv4 or IPv6 network among the exceptions
// (as in 10.0.0.0/8) is for hosts that are given by address.
[[nodiscard]] std::string proxy_of(const Url& url, const HttpProxies& proxies);

// Whether what is said to a proxy is encrypted.
[[nodiscard]] bool is_https(const std::string& proxy);

}  // namespace filetree::http
