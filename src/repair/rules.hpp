#pragma once

#include <cstdint>
#include <vector>

#include "filetree/repair.hpp"

namespace filetree::repair {

constexpr std::uint32_t setuid_bit = 04000;
constexpr std::uint32_t setgid_bit = 02000;
constexpr std::uint32_t set_id_bits = setuid_bit | setgid_bit;
constexpr std::uint32_t permission_bits = 07777;

// What an entry's group and permission bits are to be.
struct Verdict {
    std::uint32_t gid;
    std::uint32_t mode;

    [[nodiscard]] bool changes(const Attributes& entry) const noexcept {
        return gid != entry.gid || mode != (entry.mode & permission_bits);
    }
};

// The rules of repair.hpp, and nothing else: no calls, no state.
class Rules {
   public:
    explicit Rules(const RepairOptions& options);

    // `directory` is what the entry was found in; null for the top.
    [[nodiscard]] Verdict judge(const Attributes& entry,
                                const WalkedDirectory* directory) const noexcept;
    // The directory that gives its group to what is unsuitable: this one or one above it, or null.
    [[nodiscard]] const WalkedDirectory* source(const WalkedDirectory* directory) const noexcept;
    // Whether the group is one that is to be replaced.
    [[nodiscard]] bool unsuitable(const Attributes& entry) const noexcept;
    // Whether a file is not made writable although it should be, because it keeps set-id bits: who
    // maps it into memory could write to it without losing them.
    [[nodiscard]] bool withholds_write(const Attributes& entry,
                                       const Verdict& verdict) const noexcept;
    // Whether other links than the one that was found forbid to change it.
    [[nodiscard]] bool forbidden_by_links(const Attributes& entry) const noexcept;

   private:
    std::vector<std::uint32_t> change_gids_;  // sorted
    bool group_writable_;
    bool hard_links_;
};

// Whether a mode would be set with a setgid bit that a file has: between looking and setting its
// owner, not one of the group, may write to it, which takes the bit away, and would get it back.
[[nodiscard]] bool would_renew_setgid(const Attributes& entry, const Verdict& verdict) noexcept;

// A bit for each ChangeKind in which the two differ.
[[nodiscard]] std::uint8_t kinds_of_change(const Attributes& before, std::uint32_t gid,
                                           std::uint32_t mode) noexcept;

}  // namespace filetree::repair
