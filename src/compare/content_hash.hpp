#pragma once

#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

namespace filetree::compare {

// What one comparison hashes with: a random key that it shows to nobody.
class HashKey {
   public:
    HashKey();
    [[nodiscard]] std::span<const unsigned char> bytes() const noexcept { return bytes_; }

   private:
    std::array<unsigned char, 16> bytes_{};
};

// A 128-bit hash of content that comes in pieces: GMAC with AES-128 (NIST SP 800-38D).
//
// GMAC is a universal hash under a secret key. Two contents of n blocks of 16 bytes that were
// chosen without the key have the same hash with a probability of at most n + 1 in 2^128: whoever
// makes the archives cannot do better. The standard forbids to use a nonce twice since the tags of
// one nonce tell about the key; here no tag ever leaves the process, so that one nonce does.
//
// Threads: one at a time.
class ContentHash {
   public:
    using Tag = std::array<unsigned char, 16>;

    explicit ContentHash(const HashKey& key);

    void add(std::span<const char> bytes);
    void add_zeros(std::uint64_t count);
    // Of all that was added; then it begins anew.
    [[nodiscard]] Tag finish();

   private:
    struct Free {
        void operator()(EVP_MAC_CTX* context) const noexcept;
    };

    void begin();

    std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

// What libcrypto keeps for the calling thread goes now. Left to the thread's end it may come after
// what libcrypto does at the end of the process, and use what is gone.
void forget_hashing_of_this_thread() noexcept;

}  // namespace filetree::compare
