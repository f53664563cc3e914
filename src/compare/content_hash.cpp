#include "content_hash.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace filetree::compare {
namespace {

void check(int status) {
    if (status != 1) throw std::runtime_error("libcrypto cannot compute GMAC");
}

// Fetched once, as that is a search; lives as long as the process.
EVP_MAC* gmac() {
    static EVP_MAC* const fetched = EVP_MAC_fetch(nullptr, "GMAC", nullptr);
    check(fetched != nullptr ? 1 : 0);
    return fetched;
}

}  // namespace

HashKey::HashKey() { check(RAND_priv_bytes(bytes_.data(), static_cast<int>(bytes_.size()))); }

void ContentHash::Free::operator()(EVP_MAC_CTX* context) const noexcept {
    EVP_MAC_CTX_free(context);
}

ContentHash::ContentHash(const HashKey& key) : context_(EVP_MAC_CTX_new(gmac())) {
    check(context_ ? 1 : 0);
    char cipher[] = "AES-128-GCM";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_end()};
    check(EVP_MAC_CTX_set_params(context_.get(), parameters));
    check(EVP_MAC_init(context_.get(), key.bytes().data(), key.bytes().size(), nullptr));
    begin();
}

void ContentHash::begin() {
    static unsigned char nonce[12] = {};  // not const only because OSSL_PARAM is for both ways
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, nonce, sizeof nonce),
        OSSL_PARAM_construct_end()};
    check(EVP_MAC_CTX_set_params(context_.get(), parameters));
}

void ContentHash::add(std::span<const char> bytes) {
    if (bytes.empty()) return;
    check(EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(bytes.data()),
                         bytes.size()));
}

void ContentHash::add_zeros(std::uint64_t count) {
    static constexpr std::array<char, std::size_t{64} << 10U> zeros{};
    while (count > 0) {
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(count, zeros.size()));
        add({zeros.data(), length});
        count -= length;
    }
}

ContentHash::Tag ContentHash::finish() {
    Tag tag{};
    std::size_t length = 0;
    check(EVP_MAC_final(context_.get(), tag.data(), &length, tag.size()));
    begin();
    return tag;
}

void forget_hashing_of_this_thread() noexcept { OPENSSL_thread_stop(); }

}  // namespace filetree::compare
