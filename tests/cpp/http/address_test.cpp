#include "address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>

namespace filetree::http {
namespace {

bool judged(const std::string& text) {
    sockaddr_storage address{};
    sockaddr_in four{};
    sockaddr_in6 six{};
    if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        std::memcpy(&address, &four, sizeof four);
    } else {
        EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr), 1) << text;
        six.sin6_family = AF_INET6;
        std::memcpy(&address, &six, sizeof six);
    }
    const bool verdict = is_public(reinterpret_cast<const sockaddr&>(address));
    EXPECT_EQ(kind_of_host(text),
              verdict ? AddressKind::public_address : AddressKind::other_address)
        << text;
    return verdict;
}

// The first and the last address of each block, and those beside it.
struct Block {
    const char* before;  // public, or null where another block is
    const char* first;
    const char* last;
    const char* after;
};

constexpr Block blocks[] = {
    {nullptr, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", nullptr},
    {nullptr, "240.0.0.0", "255.255.255.255", nullptr},

    {nullptr, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     nullptr},
};

TEST(AddressTest, BlocksEndWhereTheyEnd) {
    for (const Block& block : blocks) {
        if (block.before != nullptr) {
            EXPECT_TRUE(judged(block.before)) << block.before;
        }
        EXPECT_FALSE(judged(block.first)) << block.first;
        EXPECT_FALSE(judged(block.last)) << block.last;
        if (block.after != nullptr) {
            EXPECT_TRUE(judged(block.after)) << block.after;
        }
    }
}

TEST(AddressTest, WhatStandsForAnIpv4AddressIsJudgedByThatOne) {
    for (const char* address :
         {"::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
          "64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "64:ff9b::100.64.0.1",
          "2002:7f00:1::", "2002:a01:203::5", "2002:c612::1", "2002:e000:1::"}) {
        EXPECT_FALSE(judged(address)) << address;
    }
    for (const char* address : {"::ffff:93.184.215.14", "64:ff9b::93.184.215.14",
                                "2002:5db8:d70e::5", "2002:5db8:d70e:ffff::"}) {
        EXPECT_TRUE(judged(address)) << address;
    }
}

TEST(AddressTest, OfIpv6OnlyWhatIsGlobalUnicastIsPublic) {
    for (const char* address :
         {"::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "::fffe:127.0.0.1", "64:ff9a::1",
          "64:ff9b:0:0:0:1::", "64:ff9b:1::5db8:d70e", "100::1", "100:0:0:1::1", "5f00::1",
          "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1"}) {
        EXPECT_FALSE(judged(address)) << address;
    }
    for (const char* address :
         {"2606:2800:21f:cb07::1", "2a00:1450::1", "2620:4f:8000::1", "2003::1", "2400::"}) {
        EXPECT_TRUE(judged(address)) << address;
    }
}

TEST(AddressTest, OtherFamiliesAreNotPublic) {
    sockaddr_storage address{};
    address.ss_family = AF_UNIX;
    EXPECT_FALSE(is_public(reinterpret_cast<const sockaddr&>(address)));
    address.ss_family = AF_UNSPEC;
    EXPECT_FALSE(is_public(reinterpret_cast<const sockaddr&>(address)));
}

TEST(AddressTest, OldWaysToWriteAnAddressAreAddresses) {
    for (const char* host : {"127.1", "0x7f000001", "2130706433", "0177.0.0.1", "10.66051"}) {
        EXPECT_EQ(kind_of_host(host), AddressKind::other_address) << host;
    }
    EXPECT_EQ(kind_of_host("fe80::1%eth0"), AddressKind::other_address);
    EXPECT_EQ(kind_of_host("0x5db8d70e"), AddressKind::public_address);
}

TEST(AddressTest, NamesAreNoAddresses) {
    for (const char* host :
         {"localhost", "example.org", "127.0.0.1.example.org", "", "1.2.3.4.5"}) {
        EXPECT_EQ(kind_of_host(host), AddressKind::name) << host;
    }
}

}  // namespace
}  // namespace filetree::http
