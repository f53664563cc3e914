#pragma once

#include <string>

#include "filetree/fs.hpp"

namespace filetree::testing {

// A context for calls that a test makes itself.
class Caller {
   public:
    std::atomic<bool> stop{false};
    CallContext context{stop};
};

// Reads a whole listing; the errno, or 0.
inline int read_all(Directory& directory, Listing& out, CallContext& context) {
    for (;;) {
        const Result<bool> more = directory.read(out, context);
        if (!more.ok()) return more.error;
        if (!more.value) return 0;
    }
}

inline StatResult stat_name(Directory& directory, const std::string& name, CallContext& context,
                            StatMask mask = StatMask::all) {
    Listing names;
    names.add(name, EntryType::unknown);
    StatResult result;
    if (directory.stat(names, 0, 1, mask, &result, context) != 1) result.error = -1;
    return result;
}

}  // namespace filetree::testing
