#pragma once

#include <sys/socket.h>

#include <string>

namespace filetree::http {

// Whether an address belongs to the public Internet: globally reachable by the IANA registries of
// special-purpose addresses (RFC 6890), and unicast. IPv6 addresses that stand for an IPv4 address
// (mapped, NAT64, 6to4) are judged by that one. False for whatever is no IP address.
[[nodiscard]] bool is_public(const sockaddr& address) noexcept;

// The same of its text; a host's name is no address.
enum class AddressKind { name, public_address, other_address };
[[nodiscard]] AddressKind kind_of_host(const std::string& host) noexcept;

}  // namespace filetree::http
