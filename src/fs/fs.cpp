#include "filetree/fs.hpp"

#include <cerrno>

namespace filetree {

Result<bool> Entry::has_extended_attribute(const char* /*name*/, CallContext& /*context*/) {
    return {false, 0};
}
int Entry::set_group(std::uint32_t /*gid*/, CallContext& /*context*/) { return EROFS; }
int Entry::set_mode(std::uint32_t /*mode*/, CallContext& /*context*/) { return EROFS; }

Result<std::unique_ptr<Entry>> Directory::pin(const char* /*name*/, CallContext& /*context*/) {
    return Result<std::unique_ptr<Entry>>::failure(EROFS);
}

Result<std::shared_ptr<Directory>> Directory::open_target(const char* /*name*/,
                                                          CallContext& /*context*/) {
    return Result<std::shared_ptr<Directory>>::failure(EOPNOTSUPP);
}
Result<std::shared_ptr<File>> Directory::open_file(const char* /*name*/, bool /*follow*/,
                                                   CallContext& /*context*/) {
    return Result<std::shared_ptr<File>>::failure(EOPNOTSUPP);
}
StatResult Directory::attributes_of(const char* /*name*/, bool /*follow*/,
                                    CallContext& /*context*/) {
    return {{}, EOPNOTSUPP};
}
Result<std::string> Directory::read_link(const char* /*name*/, CallContext& /*context*/) {
    return Result<std::string>::failure(EOPNOTSUPP);
}

Result<std::shared_ptr<File>> FileSystem::open_file(const std::string& /*path*/,
                                                    CallContext& /*context*/) {
    return Result<std::shared_ptr<File>>::failure(EOPNOTSUPP);
}

}  // namespace filetree
