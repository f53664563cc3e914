#include "proxy.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lowercase.hpp"

namespace filetree::http {
namespace {

struct Address {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 0;  // 32 or 128
};

std::optional<Address> address_of(std::string_view text) {
    Address address;
    const std::string terminated(text);
    if (::inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
        address.bits = 32;
    } else if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
        address.bits = 128;
    } else {
        return {};
    }
    return address;
}

bool is_in_network(const Address& host, std::string_view network) {
    const std::size_t slash = network.find('/');
    const auto base = address_of(network.substr(0, slash));
    if (!base || base->bits != host.bits) return false;
    unsigned bits = base->bits;
    if (slash != std::string_view::npos) {
        const std::string_view length = network.substr(slash + 1);
        const auto [end, failed] =
            std::from_chars(length.data(), length.data() + length.size(), bits);
        if (failed != std::errc{} || end != length.data() + length.size()) return false;
        if (bits > base->bits) return false;
    }
    for (unsigned bit = 0; bit < bits; ++bit) {
        const auto at = [bit](const Address& address) {
            return address.bytes[bit / 8] >> (7 - bit % 8) & 1U;
        };
        if (at(host) != at(*base)) return false;
    }
    return true;
}

bool is_exception(const std::string& host, std::string_view entry) {
    if (entry == "*") return true;
    if (const auto address = address_of(host)) {
        if (entry.starts_with('[') && entry.ends_with(']')) {
            entry = entry.substr(1, entry.size() - 2);
        }
        return is_in_network(*address, entry);
    }
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.ends_with('.')) entry.remove_suffix(1);
    if (entry.empty()) return false;
    const std::string name =
        lowercase(host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
    const std::string domain = lowercase(entry);
    return name == domain || name.ends_with("." + domain);
}

}  // namespace

std::string proxy_of(const Url& url, const HttpProxies& proxies) {
    const std::string& proxy = url.scheme() == "https" ? proxies.https : proxies.http;
    if (proxy.empty()) return {};
    std::string_view rest = proxies.exceptions;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find_first_of(", \t"), rest.size());
        const std::string_view entry = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!entry.empty() && is_exception(url.host(), entry)) return {};
    }
    return proxy;
}

bool is_https(const std::string& proxy) { return lowercase(proxy).starts_with("https:"); }

}  // namespace filetree::http
