#include "address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace filetree::http {
namespace {

using V4 = std::uint32_t;
using V6 = std::array<std::uint8_t, 16>;

struct Block4 {
    V4 network;
    unsigned bits;
};

constexpr V4 v4(unsigned a, unsigned b, unsigned c, unsigned d) {
    return a << 24U | b << 16U | c << 8U | d;
}

constexpr Block4 not_public4[] = {
    {v4(0, 0, 0, 0), 8},        // this network, unspecified
    {v4(10, 0, 0, 0), 8},       // private
    {v4(100, 64, 0, 0), 10},    // shared, of carriers
    {v4(127, 0, 0, 0), 8},      // loopback
    {v4(169, 254, 0, 0), 16},   // link-local
    {v4(172, 16, 0, 0), 12},    // private
    {v4(192, 0, 0, 0), 24},     // protocol assignments
    {v4(192, 0, 2, 0), 24},     // documentation
    {v4(192, 88, 99, 0), 24},   // relays of 6to4, deprecated
    {v4(192, 168, 0, 0), 16},   // private
    {v4(198, 18, 0, 0), 15},    // benchmarking
    {v4(198, 51, 100, 0), 24},  // documentation
    {v4(203, 0, 113, 0), 24},   // documentation
    {v4(224, 0, 0, 0), 4},      // multicast
    {v4(240, 0, 0, 0), 4},      // reserved, broadcast
};

struct Block6 {
    V6 network;
    unsigned bits;
};

// What is unicast of the whole Internet; the rest is special, local or nobody's yet.
constexpr Block6 global_unicast = {{0x20, 0x00}, 3};

constexpr Block6 not_public6[] = {
    {{0x20, 0x01, 0x00}, 23},        // protocol assignments, Teredo
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x3f, 0xff, 0x00}, 20},        // documentation
};

// What stands for an IPv4 address, and where that is in it.
struct Embedding {
    V6 network;
    unsigned bits;
    std::size_t place;
};
constexpr Embedding embeddings[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},  // mapped
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12},                    // NAT64
    {{0x20, 0x02}, 16, 2},                                 // 6to4
};

bool is_in(const V6& address, const V6& network, unsigned bits) {
    const std::size_t whole = bits / 8;
    if (!std::equal(address.begin(), address.begin() + whole, network.begin())) return false;
    const unsigned rest = bits % 8;
    if (rest == 0) return true;
    const unsigned shift = 8 - rest;
    return address[whole] >> shift == network[whole] >> shift;
}

bool is_public4(V4 address) {
    return std::none_of(std::begin(not_public4), std::end(not_public4), [=](const Block4& block) {
        const unsigned shift = 32 - block.bits;
        return address >> shift == block.network >> shift;
    });
}

bool is_public6(const V6& address) {
    for (const Embedding& form : embeddings) {
        if (!is_in(address, form.network, form.bits)) continue;
        const std::span bytes = std::span(address).subspan(form.place, 4);
        return is_public4(v4(bytes[0], bytes[1], bytes[2], bytes[3]));
    }
    if (!is_in(address, global_unicast.network, global_unicast.bits)) return false;
    return std::none_of(std::begin(not_public6), std::end(not_public6), [&](const Block6& block) {
        return is_in(address, block.network, block.bits);
    });
}

}  // namespace

bool is_public(const sockaddr& address) noexcept {
    if (address.sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &address, sizeof in);
        return is_public4(ntohl(in.sin_addr.s_addr));
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &address, sizeof in);
        V6 bytes;
        std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
        return is_public6(bytes);
    }
    return false;
}

AddressKind kind_of_host(const std::string& host) noexcept {
    const auto judged = [](bool is) {
        return is ? AddressKind::public_address : AddressKind::other_address;
    };
    in_addr four{};
    if (::inet_aton(host.c_str(), &four) != 0) return judged(is_public4(ntohl(four.s_addr)));
    V6 six;
    if (::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), six.data()) == 1) {
        return judged(is_public6(six));
    }
    return AddressKind::name;
}

}  // namespace filetree::http
